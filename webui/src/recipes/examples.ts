// What a recipe makes of a picture: built-in ones show theirs, saved ones that of the newest picture here.

import { api, data, type RecipeInfo } from '../api/client'

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
  return making
}

async function make(recipe: RecipeInfo): Promise<string> {
  const [newest] = await data(api.GET('/images', { params: { query: { limit: 1 } } }))
  if (!newest) return ''
  const answer = await api.POST('/images/{image_id}/preview', {
    params: { path: { image_id: newest.id } },
    body: { recipe: recipe.recipe },
    parseAs: 'blob',
  })
  return URL.createObjectURL(answer.data as unknown as Blob)
}
