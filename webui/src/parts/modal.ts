/** Whether a dialog or a menu lies over the view: the keys are its own then. */
export const isModalOpen = (): boolean => document.querySelector('dialog[open], [popover]:popover-open') !== null
