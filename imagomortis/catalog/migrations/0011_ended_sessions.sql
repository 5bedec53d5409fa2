-- Sessions that were signed out before their end: their cookies are valid signatures for as long.

CREATE TABLE ended_sessions (
    id      text        PRIMARY KEY,
    ends_at timestamptz NOT NULL
);
