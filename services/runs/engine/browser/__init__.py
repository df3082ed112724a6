"""The browser: started, guarded, read."""
