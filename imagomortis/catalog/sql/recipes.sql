-- Recipes that people saved under a name of their own.

-- name: all
SELECT name, title, description, recipe, digest, created_at, updated_at FROM recipes ORDER BY name;

-- name: one
SELECT name, title, description, recipe, digest, created_at, updated_at FROM recipes WHERE name = %(name)s;

-- name: save
INSERT INTO recipes (name, title, description, recipe, digest)
VALUES (%(name)s, %(title)s, %(description)s, %(recipe)s, %(digest)s)
ON CONFLICT (name) DO UPDATE
SET title = excluded.title, description = excluded.description, recipe = excluded.recipe, digest = excluded.digest,
    updated_at = now()
RETURNING name, title, description, recipe, digest, created_at, updated_at;

-- name: delete
DELETE FROM recipes WHERE name = %(name)s RETURNING name;
