/** Whether a dialog lies over the view: the keys are its own then. */
export const isModalOpen = (): boolean => document.querySelector('dialog[open]') !== null
