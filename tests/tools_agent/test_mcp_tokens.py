from tools_agent.mcp_tokens import EARLY_SECONDS, TokenCache


def test_tokens_are_kept_by_user_and_server_until_they_expire() -> None:
    now = [100.0]
    cache = TokenCache(clock=lambda: now[0])
    cache.put("ann", "http://a", "t1", EARLY_SECONDS + 10)
    assert cache.get("ann", "http://a") == "t1"
    assert cache.get("ann", "http://b") is None
    assert cache.get("bob", "http://a") is None
    now[0] += 10
    assert cache.get("ann", "http://a") is None


def test_the_longest_unused_token_makes_room() -> None:
    cache = TokenCache(limit=2)
    cache.put("ann", "a", "1", 3600)
    cache.put("ann", "b", "2", 3600)
    cache.get("ann", "a")
    cache.put("ann", "c", "3", 3600)
    assert [cache.get("ann", url) for url in "abc"] == ["1", None, "3"]


def test_a_token_without_a_lifetime_is_not_kept() -> None:
    cache = TokenCache()
    cache.put("ann", "a", "1", 0)
    assert cache.get("ann", "a") is None
