"""Where elements were found before, and where they are now."""
