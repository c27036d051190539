"""WHAT HAPPENED, and who is told. Front door: `interfaces.EventLog` and `interfaces.Notifier`."""
