"""Why cases did not pass: what the browser saw, joined to the tested application's own logs."""
