import { OBJECT_FILTERS, type Selection, wantsWholeExperiments } from '../model/selection.ts';

/** Whether a selection leaves no run and no object of its experiments out, but by their stage. */
export function isWholeSelection(selection: Selection): boolean {
  return (
    wantsWholeExperiments(selection) &&
    selection.view !== 'deleted' &&
    OBJECT_FILTERS.every((field) => selection[field] === undefined)
  );
}
