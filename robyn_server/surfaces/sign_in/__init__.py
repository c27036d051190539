"""Ways to sign in for clients that cannot send headers. Front door: `routes.SignIn`."""
