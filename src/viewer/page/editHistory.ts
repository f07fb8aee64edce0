/** Undo and redo for the editor: inverted changes, typing that goes on joined into one. */
import {
  Annotation,
  type ChangeSet,
  type Extension,
  StateField,
  type TransactionSpec,
} from '@codemirror/state';
import { type Command, keymap } from '@codemirror/view';

interface History {
  readonly done: readonly ChangeSet[];
  readonly undone: readonly ChangeSet[];
  /** Where typing would go on; -1: the next change begins an entry. */
  readonly at: number;
}

const from = Annotation.define<'undo' | 'redo'>();
const MOST = 500;

const field = StateField.define<History>({
  create: () => ({ done: [], undone: [], at: -1 }),
  update(history, tr) {
    if (!tr.docChanged) return tr.selection === undefined ? history : { ...history, at: -1 };
    const inverse = tr.changes.invert(tr.startState.doc);
    const { done, undone } = history;
    if (tr.annotation(from) === 'undo')
      return { done: done.slice(0, -1), undone: [...undone, inverse], at: -1 };
    if (tr.annotation(from) === 'redo')
      return { done: [...done, inverse], undone: undone.slice(0, -1), at: -1 };
    const goesOn = tr.isUserEvent('input.type') && tr.startState.selection.main.head === history.at;
    const last = done.at(-1);
    const entries =
      goesOn && last !== undefined ? [...done.slice(0, -1), inverse.compose(last)] : [...done, inverse];
    return { done: entries.slice(-MOST), undone: [], at: tr.newSelection.main.head };
  },
});

const move =
  (which: 'undo' | 'redo'): Command =>
  ({ state, dispatch }) => {
    const { done, undone } = state.field(field);
    const changes = (which === 'undo' ? done : undone).at(-1);
    if (changes === undefined) return false;
    const spec: TransactionSpec = { changes, annotations: from.of(which), scrollIntoView: true };
    dispatch(state.update(spec));
    return true;
  };

export const editHistory: Extension = [
  field,
  keymap.of([
    { key: 'Mod-z', run: move('undo'), preventDefault: true },
    { key: 'Mod-y', mac: 'Mod-Shift-z', run: move('redo'), preventDefault: true },
    { key: 'Mod-Shift-z', run: move('redo'), preventDefault: true },
  ]),
];
