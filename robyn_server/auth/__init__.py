"""WHO is calling, and MAY they. Front door: `interfaces.Auth`; one implementation a mode (none, supabase, custom)."""
