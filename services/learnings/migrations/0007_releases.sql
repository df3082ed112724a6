-- Releases, proprietary packages, backups.
SELECT 1;
