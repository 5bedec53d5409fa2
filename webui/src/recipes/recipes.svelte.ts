// The recipes that there are, and the one that was chosen last.

import { api, data, type Recipe, type RecipeInfo } from '../api/client'
import { titleOf } from './names'

const KEY = 'imagomortis.recipe'

class Recipes {
  all = $state.raw<RecipeInfo[]>([])
  chosen = $state(localStorage.getItem(KEY) ?? '')
  #loading: Promise<void> | undefined

  load(anew = false): Promise<void> {
    if (anew) this.#loading = undefined
    this.#loading ??= data(api.GET('/recipes')).then(
      (found) => {
        this.all = found
        if (!found.some((recipe) => recipe.name === this.chosen)) {
          this.chosen = found.find((recipe) => recipe.is_default)?.name ?? ''
        }
      },
      (error: unknown) => {
        this.#loading = undefined
        throw error
      },
    )
    return this.#loading
  }

  choose(name: string): void {
    this.chosen = name
    localStorage.setItem(KEY, name)
  }

  titleOf(image: { recipe_name: string | null; recipe_digest: string }): string | null {
    return titleOf(image, this.all)
  }

  /** The digest for a name, as links may have either; what is not known stays as it is. */
  digestOf(recipe: string): string {
    return this.all.find((each) => each.name === recipe)?.digest ?? recipe
  }

  /** What the uploader is told: it knows the built-in names only. */
  forUpload(name: string): string {
    const recipe = this.all.find((each) => each.name === name)
    return !recipe || recipe.is_builtin ? name : JSON.stringify(recipe.recipe)
  }

  async remove(name: string): Promise<void> {
    await api.DELETE('/recipes/{name}', { params: { path: { name } } })
    await this.load(true)
  }

  async save(name: string, title: string, description: string, recipe: Recipe): Promise<RecipeInfo> {
    const saved = await data(api.PUT('/recipes/{name}', { params: { path: { name } }, body: { title, description, recipe } }))
    await this.load(true)
    return saved
  }
}

export const recipes = new Recipes()
