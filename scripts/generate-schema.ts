// Writes the JSON Schemas of scenario and claim files and of every --json. Tests compare; run this after changing
// src/scenario/schema.ts, src/compare/claim.ts or src/formats/outputs.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { claimJsonSchema } from '../src/compare/claim.ts';
import { OUTPUTS, type OutputName, outputJsonSchema } from '../src/formats/outputs.ts';
import { scenarioJsonSchema } from '../src/scenario/schema.ts';

const folder = new URL('../schema/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('scenario-1.json', folder), `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`);
writeFileSync(new URL('claim-1.json', folder), `${JSON.stringify(claimJsonSchema(), null, 2)}\n`);
for (const name of Object.keys(OUTPUTS) as OutputName[])
  writeFileSync(new URL(`${name}-1.json`, folder), `${JSON.stringify(outputJsonSchema(name), null, 2)}\n`);
