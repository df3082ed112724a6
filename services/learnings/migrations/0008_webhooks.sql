-- Outgoing webhooks and their deliveries.
SELECT 1;
