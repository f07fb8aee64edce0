// A thread does not inherit what runs TypeScript in the main one.
import { register } from 'tsx/esm/api';

register();
const { work } = await import('./worker.ts');
work();
