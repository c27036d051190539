"""ROWS. The only room that writes SQL. Front door: `interfaces.Storage`; opened by `opening.open_storage`."""
