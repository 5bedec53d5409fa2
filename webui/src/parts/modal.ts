/** Whether a dialog or a menu lies over the view: the keys are its own then. */
export const isModalOpen = (): boolean => document.querySelector(OPEN) !== null

// a browser without popovers refuses a selector that names their state
const OPEN = CSS.supports('selector(:popover-open)') ? 'dialog[open], [popover]:popover-open' : 'dialog[open]'
