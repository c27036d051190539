"""An `Auth` object that knows who says `Bearer <name>`."""

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> str:
    if authorization is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="missing token")
    return authorization.removeprefix("Bearer ")
