// Names of recipes.

import type { RecipeInfo } from '../api/client'

type Known = Pick<RecipeInfo, 'name' | 'title' | 'is_builtin'>

/** A name that the API takes, made of a title. */
export function nameOf(title: string, otherwise = 'recipe'): string {
  const plain = title.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64) || otherwise
}

/** What the recipe of an image is called: by what it does, as saved ones are sent without their names, or else by its name. */
export function titleOf(image: { recipe_name: string | null; recipe_digest: string }, recipes: (Known & { digest: string })[]): string | null {
  const same = recipes.filter((recipe) => recipe.digest === image.recipe_digest)
  const named = (recipe: Known) => recipe.name === image.recipe_name
  return (same.find(named) ?? same[0] ?? recipes.find(named))?.title ?? image.recipe_name
}

/** The saved recipe that has a title; built-in ones cannot be replaced. */
export const titled = <Each extends Known>(title: string, recipes: Each[]): Each | undefined =>
  recipes.find((recipe) => !recipe.is_builtin && recipe.title === title)

/** The name for a title: that of the saved recipe which has the same title, or else one that no recipe has. */
export function nameFor(title: string, recipes: Known[]): string {
  const own = titled(title, recipes)
  if (own) return own.name
  return freeName(title, recipes)
}

/** A name made of a title that none of the known things has. */
export function freeName(title: string, known: { name: string }[], otherwise = 'recipe'): string {
  const plain = nameOf(title, otherwise)
  let name = plain
  for (let number = 2; known.some((each) => each.name === name); number++) name = `${plain.slice(0, 58)}-${number}`
  return name
}
