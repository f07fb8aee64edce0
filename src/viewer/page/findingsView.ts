import type { Route } from '../route.ts';
import type { Frame, View } from './app.ts';
import { fill, h } from './dom.ts';
export function findingsView(_frame: Frame, _route: Route, host: HTMLElement): View {
  fill(host, h('h1', {}, 'Findings'));
  return { title: 'findings' };
}
