// The assets: pictures under a name, which recipes lay over others.

import { api, data } from '../api/client'
import type { components } from '../api/api'
import { freeName } from './names'

type Asset = components['schemas']['AssetInfo']

class Assets {
  all = $state.raw<Asset[]>([])

  async load(): Promise<void> {
    this.all = await data(api.GET('/assets'))
  }

  /** Stores a picture under a name made of its file's, which no other asset has; returns the name. */
  async add(file: File): Promise<string> {
    await this.load()
    const name = freeName(file.name.replace(/\.[^.]*$/, ''), this.all, 'asset')
    const sent = { params: { path: { name } }, body: file as unknown as string, bodySerializer: (body: string) => body, headers: { 'Content-Type': 'application/octet-stream' } }
    await api.PUT('/assets/{name}', sent)
    await this.load()
    return name
  }
}

export const assets = new Assets()

/** The asset's name in a step, which has the digest of its bytes behind it once they are known. */
export const assetOf = (value: unknown): string => String(value ?? '').split('@')[0]!
