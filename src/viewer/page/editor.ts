/** The scenario editor: JSON with the errors of its readers where they stand, and what may be typed next. */
import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, linter, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import {
  type Command,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { completionsAt } from '../completions.ts';
import { type Problem, problemsOf } from '../problems.ts';

export interface ScenarioEditor {
  text: string;
  /** Of the text as it stands. */
  problems(): Problem[];
  /** Puts the cursor there. */
  goTo(at: number): void;
  destroy(): void;
}

export interface EditorOptions {
  readonly text: string;
  /** Names of the images that there are. */
  readonly images: readonly string[];
  onChange(text: string, problems: readonly Problem[]): void;
}

export function scenarioEditor(host: HTMLElement, { text, images, onChange }: EditorOptions): ScenarioEditor {
  const view = new EditorView({
    parent: host,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        drawSelection(),
        highlightActiveLine(),
        json(),
        bracketMatching(),
        closeBrackets(),
        history(),
        syntaxHighlighting(COLOURS),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'scenario, as JSON', tabindex: '0' }),
        // The list is made on every change below; this shows it.
        linter(null),
        autocompletion({ override: [complete], icons: false, activateOnTyping: true }),
        keymap.of([
          ...completionKeymap,
          ...closeBracketsKeymap,
          ...lintKeymap,
          ...historyKeymap,
          { key: 'Enter', run: newLine },
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) look();
        }),
        THEME,
      ],
    }),
  });
  const look = (): void => {
    const now = view.state.doc.toString();
    const problems = problemsOf(now, images);
    const diagnostics = problems.map(
      ({ from, to, line, column, message }): Diagnostic => ({
        from,
        to,
        severity: 'error',
        message: `line ${line}, column ${column}: ${message}`,
      }),
    );
    queueMicrotask(() => view.dispatch(setDiagnostics(view.state, diagnostics)));
    onChange(now, problems);
  };
  look();
  return {
    get text() {
      return view.state.doc.toString();
    },
    set text(next) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    problems: () => problemsOf(view.state.doc.toString(), images),
    goTo(at) {
      view.dispatch({ selection: { anchor: at }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

function complete(context: CompletionContext): CompletionResult | null {
  const found = completionsAt(context.state.doc.toString(), context.pos);
  if (found === null) return null;
  if (
    !context.explicit &&
    found.typed === context.pos &&
    context.state.sliceDoc(context.pos - 1, context.pos) !== '"'
  )
    return null;
  return {
    from: found.typed,
    options: found.options.map(({ label, detail, info, insert = label, cursor = insert.length }) => ({
      label,
      ...(detail === undefined ? {} : { detail }),
      ...(info === undefined ? {} : { info }),
      apply(view: EditorView, _completion: unknown, _from: number, to: number) {
        // What was typed since the list was made is part of what is replaced.
        const end = Math.max(to, found.to + to - context.pos);
        view.dispatch({
          changes: { from: found.from, to: end, insert },
          selection: { anchor: found.from + cursor },
          userEvent: 'input.complete',
        });
      },
    })),
  };
}

const newLine: Command = ({ state, dispatch }) => {
  const { from, to } = state.selection.main;
  const line = state.doc.lineAt(from);
  const before = line.text.slice(0, from - line.from);
  const indent = /^\s*/.exec(before)![0];
  const opens = /[[{]\s*$/.test(before);
  const closes = /^\s*[\]}]/.test(line.text.slice(from - line.from));
  const inner = `\n${indent}${opens ? '  ' : ''}`;
  dispatch(
    state.update({
      changes: { from, to, insert: opens && closes ? `${inner}\n${indent}` : inner },
      selection: { anchor: from + inner.length },
      scrollIntoView: true,
      userEvent: 'input',
    }),
  );
  return true;
};

const COLOURS = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--accent)' },
  { tag: tags.string, color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--unsure)' },
]);

const THEME = EditorView.theme({
  '&': {
    height: '100%',
    fontSize: '13px',
    color: 'var(--fg)',
    backgroundColor: 'var(--bg)',
    border: '1px solid var(--strong-line)',
  },
  '&.cm-focused': { outline: '2px solid var(--focus)' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--fg)' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '.cm-gutters': {
    color: 'var(--muted)',
    backgroundColor: 'var(--panel)',
    borderRight: '1px solid var(--line)',
  },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--focus) 8%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--focus) 30%, transparent)',
  },
  '.cm-tooltip': { color: 'var(--fg)', backgroundColor: 'var(--bg)', border: '1px solid var(--strong-line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { color: 'var(--bg)', backgroundColor: 'var(--focus)' },
  '.cm-completionDetail': { fontStyle: 'normal', color: 'var(--muted)' },
  'li[aria-selected] .cm-completionDetail': { color: 'inherit' },
  '.cm-diagnostic': { fontFamily: 'var(--mono)', whiteSpace: 'pre-wrap' },
});
