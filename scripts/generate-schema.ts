// Writes schema/scenario-1.json from src/scenario/schema.ts. A test compares; run this after changing the schema.
import { mkdirSync, writeFileSync } from 'node:fs';
import { scenarioJsonSchema } from '../src/scenario/schema.ts';

const folder = new URL('../schema/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('scenario-1.json', folder), `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`);
