// What a recipe makes of a picture: built-in ones show theirs, saved ones that of the newest picture here.

import { api, data, type RecipeInfo } from '../../api/client'
import { preview } from '../../api/preview'

const found = import.meta.glob<string>('./examples/*.webp', { eager: true, import: 'default', query: '?url' })
const made = new Map<string, Promise<string>>()

/** The address of an example, or nothing where none can be had. */
export function exampleOf(recipe: RecipeInfo): Promise<string> {
  const shipped = recipe.is_builtin && found[`./examples/${recipe.name}.webp`]
  if (shipped) return Promise.resolve(shipped)
  const known = made.get(recipe.digest)
  if (known) return known
  const making = make(recipe).catch(() => '') // an example is a help, not a need
  made.set(recipe.digest, making)
  void making.then((address) => address || made.delete(recipe.digest))
  return making
}

async function make(recipe: RecipeInfo): Promise<string> {
  const [newest] = await data(api.GET('/images', { params: { query: { limit: 1 } } }))
  return newest ? preview(newest.id, recipe.recipe) : ''
}
