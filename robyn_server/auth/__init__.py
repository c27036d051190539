"""WHO is calling, and MAY they. Front doors: `opening.open_auth` and `interfaces.Auth`; one file a mode."""
