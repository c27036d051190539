"""Routes about the server itself: health, numbers, documentation. All of them are public."""
