-- Files, releases, proprietary packages, backups.

-- Every object in the file store, noted before its first byte is there. What is not kept is swept.
CREATE TABLE learnings.file (
    -- Empty for what belongs to the installation.
    org_id     text        NOT NULL,
    key        text        NOT NULL,
    kept       boolean     NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, key)
);
CREATE INDEX file_dropped ON learnings.file (changed_at) WHERE NOT kept;

CREATE TABLE learnings.release (
    version                text        PRIMARY KEY,
    number                 bigint      GENERATED ALWAYS AS IDENTITY,
    channel                text        NOT NULL CHECK (channel IN ('latest', 'lts')),
    posted_at              timestamptz NOT NULL DEFAULT now(),
    withdrawn_at           timestamptz,
    -- Where the builder had it: told as text, never opened.
    built_at               text        NOT NULL,
    artifact_checksum      text        NOT NULL,
    artifact_size_bytes    bigint      NOT NULL CHECK (artifact_size_bytes >= 0),
    -- What the poster said of the installer, if anything.
    expected_installer     text,
    min_compatible_version text        NOT NULL,
    framework_version      text        NOT NULL,
    changelog_url          text        NOT NULL,
    changelog              text        NOT NULL,
    -- The files, once they are there.
    artifact_file          text,
    installer_file         text,
    installer_checksum     text,
    installer_size_bytes   bigint
);
CREATE INDEX release_newest ON learnings.release (channel, number DESC) WHERE withdrawn_at IS NULL;
CREATE INDEX release_list ON learnings.release (number DESC) WHERE withdrawn_at IS NULL;

CREATE TABLE learnings.package (
    package     text        NOT NULL,
    version     text        NOT NULL,
    number      bigint      GENERATED ALWAYS AS IDENTITY,
    sha256      text        NOT NULL,
    size_bytes  bigint      NOT NULL,
    file        text        NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, version)
);
CREATE INDEX package_newest ON learnings.package (package, number DESC);

-- Which organization may have which package.
CREATE TABLE learnings.entitlement (
    org_id     text        NOT NULL,
    package    text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, package)
);

-- One license key for each organization: found by its hash, read back by its owners only.
CREATE TABLE learnings.license (
    org_id  text        PRIMARY KEY,
    digest  bytea       NOT NULL UNIQUE,
    sealed  bytea       NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE learnings.backup (
    org_id      text        NOT NULL,
    key         text        NOT NULL,
    client_id   text        NOT NULL,
    size_bytes  bigint      NOT NULL CHECK (size_bytes > 0),
    sha256      text        NOT NULL,
    announced_at timestamptz NOT NULL DEFAULT now(),
    -- Until when it may be uploaded; it counts against the quota meanwhile.
    expires_at  timestamptz NOT NULL,
    uploaded_at timestamptz,
    file        text,
    -- The key under which the object is encrypted, itself sealed.
    sealed_key  bytea,
    PRIMARY KEY (org_id, key),
    CHECK ((uploaded_at IS NULL) = (file IS NULL) AND (file IS NULL) = (sealed_key IS NULL))
);
CREATE INDEX backup_list ON learnings.backup (org_id, client_id, uploaded_at DESC, key DESC)
    WHERE uploaded_at IS NOT NULL;
CREATE INDEX backup_waiting ON learnings.backup (expires_at) WHERE uploaded_at IS NULL;
CREATE INDEX backup_age ON learnings.backup (uploaded_at) WHERE uploaded_at IS NOT NULL;
