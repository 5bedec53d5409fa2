// The stage of the viewer: PhotoSwipe with slides of two layers, the processed picture over the original, which one
// line across the stage divides, however far the picture is zoomed or moved.

import PhotoSwipe from 'photoswipe'
import 'photoswipe/style.css'
import { href, type Image } from '../api/client'
import { alignedOriginalOf, originalOf } from '../api/preview'
import { again } from '../parts/again'
import { isModalOpen } from '../parts/modal'

export interface Source {
  size(): number
  at(index: number): Image | undefined
  load(index: number): Promise<Image | undefined>
}

/** Pictures whose sizes are remembered. */
const KEPT = 500
/** Stages of more pixels have arrows at their sides, which lie beside the picture. */
const WIDE = 768
const GUTTER = 72
const ZOOM_MILLISECONDS = 200

interface SlideData {
  image?: Image
  width: number
  height: number
}

export class Stage {
  #swipe: PhotoSwipe
  #sizes = new Map<string, { width: number; height: number }>()
  /** How many pixels across the shown pictures have. */
  #pixels = new Map<string, number>()
  #addresses = new Set<string>()
  #compares = false
  #line = 0.5
  #frame = 0
  #isOver = false
  #watch = new ResizeObserver(() => this.#resize())

  constructor(
    private readonly element: HTMLElement,
    private readonly source: Source,
    start: number,
    private readonly events: { change(index: number): void; close(): void; zoom(percent: number): void; label: string },
  ) {
    const swipe = new PhotoSwipe({
      index: start,
      appendToEl: element,
      getViewportSizeFn: () => ({ x: element.clientWidth, y: element.clientHeight }),
      paddingFn: ({ x }) => ({ top: 0, bottom: 0, left: x > WIDE ? GUTTER : 0, right: x > WIDE ? GUTTER : 0 }),
      loop: false,
      trapFocus: false,
      returnFocus: false,
      arrowPrev: false,
      arrowNext: false,
      close: false,
      zoom: false,
      counter: false,
      bgOpacity: 0,
      showHideAnimationType: 'none',
      maxZoomLevel: 8,
      wheelToZoom: true,
      clickToCloseNonZoomable: false,
      bgClickAction: false,
      tapAction: false,
      preload: [1, 1],
    })
    this.#swipe = swipe
    swipe.addFilter('numItems', () => this.source.size())
    swipe.addFilter('itemData', (_, index) => this.#data(index))
    swipe.addFilter('isContentZoomable', () => true)
    swipe.on('contentLoad', (event) => {
      event.preventDefault()
      const { content } = event
      content.element = this.#slide((content.data as SlideData).image, () => content.onLoaded(), content.index)
    })
    swipe.on('change', () => {
      this.events.change(swipe.currIndex)
      this.#later()
    })
    for (const name of ['zoomPanUpdate', 'resize', 'openingAnimationEnd', 'imageSizeChange', 'moveMainScroll'] as const) {
      swipe.on(name, () => this.#later())
    }
    swipe.on('keydown', (event) => isModalOpen() && event.preventDefault())
    swipe.on('bindEvents', () => swipe.element?.setAttribute('role', 'group'))
    swipe.on('afterInit', () => {
      swipe.element?.removeAttribute('tabindex')
      swipe.element?.setAttribute('role', 'group')
      swipe.element?.setAttribute('aria-label', this.events.label)
      swipe.element?.querySelector('.pswp__container')?.removeAttribute('aria-live')
    })
    // closing is the view's business: a swipe down asks for it
    swipe.on('close', () => setTimeout(() => this.#isOver || this.events.close()))
    swipe.init()
    this.#watch.observe(element)
  }

  get index(): number {
    return this.#swipe.currIndex
  }

  next(): void {
    if (this.#swipe.currIndex < this.source.size() - 1) this.#swipe.next()
  }

  previous(): void {
    if (this.#swipe.currIndex > 0) this.#swipe.prev()
  }

  go(index: number): void {
    this.#swipe.goTo(index)
  }

  /** Shows the picture in its own pixels, or as large as the stage. */
  zoom(): void {
    const slide = this.#swipe.currSlide
    if (!slide) return
    const own = this.#level(1)
    const isOwn = Math.abs(slide.currZoomLevel / own - 1) < 0.01
    this.#zoomTo(isOwn ? slide.zoomLevels.fit : own)
  }

  /** Shows the picture larger or smaller by a factor. */
  zoomBy(factor: number): void {
    const slide = this.#swipe.currSlide
    if (slide) this.#zoomTo(slide.currZoomLevel * factor)
  }

  /** Shows a picture anew, after it was processed. */
  refresh(index: number): void {
    this.#swipe.refreshSlideContent(index)
    this.#later()
  }

  /** Shows the original left of the line, which is a share of the stage's width. */
  compare(is: boolean, line: number): void {
    const turned = is !== this.#compares
    this.#compares = is
    this.#line = line
    if (turned && is) for (const slide of this.element.querySelectorAll<HTMLElement>('.slide')) this.#loadOriginal(slide)
    this.#cut()
  }

  close(): void {
    this.#isOver = true
    this.#watch.disconnect()
    cancelAnimationFrame(this.#frame)
    for (const address of this.#addresses) URL.revokeObjectURL(address)
    this.#swipe.destroy()
  }

  #zoomTo(level: number): void {
    const levels = this.#swipe.currSlide?.zoomLevels
    if (levels) this.#swipe.zoomTo(Math.max(levels.min, Math.min(levels.max, level)), undefined, ZOOM_MILLISECONDS)
  }

  /** PhotoSwipe's level, of the size that the slide was given, at which each pixel of the picture has so many of the screen's. */
  #level(share: number): number {
    const { width = 1, data } = this.#swipe.currSlide ?? {}
    const pixels = this.#pixels.get((data as SlideData | undefined)?.image?.id ?? '') ?? width
    return (share * pixels) / width / devicePixelRatio
  }

  #data(index: number): SlideData & { type: string } {
    const image = this.source.at(index)
    if (!image) {
      void this.source.load(index).then((loaded) => loaded && this.refresh(index))
      return { type: 'picture', width: 1200, height: 900 }
    }
    const { width, height } = this.#sizes.get(image.id) ?? image
    return { type: 'picture', image, width, height }
  }

  #slide(image: Image | undefined, loaded: () => void, index: number): HTMLDivElement {
    const slide = document.createElement('div')
    slide.className = 'slide'
    if (!image) {
      loaded()
      return slide
    }
    slide.dataset.id = image.id
    slide.dataset.type = image.media_type
    const after = layer('after', image.filename)
    if (image.links.thumbnail) after.style.backgroundImage = `url("${href(image.links.thumbnail)}")`
    after.onload = () => {
      after.style.backgroundImage = '' // it would be seen through what is transparent
      if (image.media_type !== 'image/jpeg') slide.classList.add('clear')
      loaded()
      this.#measure(image, after, index)
    }
    after.onerror = () => loaded()
    slide.append(after)
    after.fetchPriority = 'high'
    if (image.links.processed) after.src = href(image.links.processed)
    else void this.#keep(originalOf(image)).then((address) => (after.src = address), loaded)
    if (this.#compares) this.#loadOriginal(slide)
    return slide
  }

  /** A recipe may have cut or turned the picture: the slide takes the proportions of what it shows. */
  #measure(image: Image, shown: HTMLImageElement, index: number): void {
    const known = this.#sizes.get(image.id) ?? image
    const { naturalWidth: width, naturalHeight: height } = shown
    this.#pixels.set(image.id, width)
    if (this.#pixels.size > KEPT) this.#pixels.delete(this.#pixels.keys().next().value!)
    this.#later()
    if (!width || !height || Math.abs(width / height / (known.width / known.height) - 1) < 0.01) return
    this.#sizes.set(image.id, { width, height })
    if (this.#sizes.size > KEPT) this.#sizes.delete(this.#sizes.keys().next().value!)
    this.refresh(index)
  }

  #loadOriginal(slide: HTMLElement): void {
    const { id, type } = slide.dataset
    if (!id || !type || slide.querySelector('.before')) return
    const before = layer('before', '')
    slide.prepend(before)
    void this.#keep(alignedOriginalOf({ id, media_type: type })).then(
      (address) => (before.src = address),
      () => before.remove(),
    )
  }

  /** Notes an address, which is revoked at the end. */
  async #keep(coming: Promise<string>): Promise<string> {
    const address = await coming
    this.#addresses.add(address)
    return address
  }

  #resize(): void {
    this.#swipe.updateSize(true)
    this.#later()
  }

  #later(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0
      this.#cut()
      const level = this.#swipe.currSlide?.currZoomLevel
      if (level) this.events.zoom(Math.round((100 * level) / this.#level(1)))
    })
  }

  #cut(): void {
    const stage = this.element.getBoundingClientRect()
    const x = stage.left + stage.width * this.#line
    for (const slide of this.element.querySelectorAll<HTMLElement>('.slide')) {
      const { left, width } = slide.getBoundingClientRect()
      const share = this.#compares && width ? Math.max(0, Math.min(1, (x - left) / width)) : 0
      slide.style.setProperty('--cut', `${share * 100}%`)
    }
  }
}

function layer(name: string, text: string): HTMLImageElement {
  const image = document.createElement('img')
  image.className = name
  image.alt = text
  image.decoding = 'async'
  image.draggable = false
  again(image)
  return image
}
