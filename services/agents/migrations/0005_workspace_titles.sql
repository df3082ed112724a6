-- What people call a namespace that somebody made: the web client lets them type anything.

ALTER TABLE agents.workspace ADD COLUMN title text CHECK (char_length(title) BETWEEN 1 AND 255);
