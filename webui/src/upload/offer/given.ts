// Gives pictures that are here already the recipe that was chosen for them.

import { api, data, type Recipe } from '../../api/client'
import { gallery } from '../../gallery/list/gallery.svelte'
import { edit, slices } from '../../gallery/selection/selection.svelte'
import { recipes } from '../../recipes/recipes.svelte'
import { t } from '../../words/texts'

/** A picture that is here, and the recipe that was chosen for its file: a name, or a recipe as JSON. */
export interface Found {
  image: string
  recipe: string
}

/** Gives each picture its recipe where it has another one, with a way back; returns the pictures that get one. */
export async function give(found: Found[]): Promise<Set<string>> {
  await recipes.load()
  const groups = new Map<string, string[]>()
  for (const { image, recipe } of found) {
    const digest = digestOf(recipe)
    if (digest && digest !== (await digestNow(image))) groups.set(recipe, [...(groups.get(recipe) ?? []), image])
  }
  const edits = [...groups].flatMap(([recipe, ids]) => slices(ids).map((ids) => ({ ids, recipe: bodyOf(recipe) })))
  if (edits.length) await edit(edits, t.upload.given)
  return new Set([...groups.values()].flat())
}

const isNamed = (recipe: string): boolean => !recipe.startsWith('{')
const bodyOf = (recipe: string) => (isNamed(recipe) ? recipe : (JSON.parse(recipe) as Recipe))

/** Of a recipe that was deleted meanwhile nothing is known. */
function digestOf(recipe: string): string | undefined {
  return recipes.all.find((each) => (isNamed(recipe) ? each.name === recipe : JSON.stringify(each.recipe) === recipe))?.digest
}

async function digestNow(id: string): Promise<string> {
  const known = gallery.find(id)
  if (known) return known.recipe_digest
  return (await data(api.GET('/images/{image_id}/info', { params: { path: { image_id: id } } }))).recipe_digest
}
