-- Company rows, and what a key may pull and record.
SELECT 1;
