/** What the page knows: the report, its scenarios read, their images made when somebody needs them. */

import { DESIGNS, type Design, designById } from '../../designs/index.ts';
import { makeVolume } from '../../scenario/image.ts';
import { readScenario, type Scenario } from '../../scenario/schema.ts';
import { Image } from '../../volume/image.ts';
import { REPORT_ID } from '../html.ts';
import type { Report, ReportScenario } from '../report.ts';
import type { ScenarioRef } from '../route.ts';
import { formatScenario } from '../scenarioText.ts';
import { inflateText } from './deflate.ts';

/** A scenario with the name its image has among those of the report. */
export interface Found {
  readonly scenario: Scenario;
  /** As the editor shows it. */
  readonly text: string;
  /** Null: made by mkfs. */
  readonly image: string | null;
  /** What a command finds it by; null: it is bundled, and found by its name. */
  readonly file: string | null;
  /** It was edited: it is not in the report. */
  readonly edited: boolean;
}

export class PageLab {
  readonly report: Report;
  readonly rows: readonly Scenario[];
  readonly #known = new Map<string, ReportScenario>();
  readonly #read = new Map<string, Scenario>();
  readonly #images = new Map<string, Promise<Image>>();
  readonly #bytes = new Map<string, Promise<Uint8Array>>();

  constructor(report: Report) {
    this.report = report;
    for (const each of [...report.library, ...report.scenarios])
      this.#known.set(String(each.json.name), each);
    this.rows = report.scenarios.map((each) => this.#scenario(each));
  }

  /** Every scenario that there is, the report's first. */
  get names(): { readonly raced: readonly string[]; readonly others: readonly string[] } {
    const name = ({ json }: ReportScenario): string => String(json.name);
    return { raced: this.report.scenarios.map(name), others: this.report.library.map(name) };
  }

  find(name: string): Found | null {
    const known = this.#known.get(name);
    if (known === undefined) return null;
    const text = formatScenario(known.json);
    const file = known.bundled ? null : known.file;
    return { scenario: this.#scenario(known), text, image: known.image ?? null, file, edited: false };
  }

  /** @throws ScenarioError, or an Error that says what is wrong with the link */
  async resolve(ref: ScenarioRef): Promise<Found> {
    if ('z' in ref) {
      const text = await this.draft(ref.z);
      if (text === null)
        throw new Error('the scenario in this link cannot be read: the link is cut or changed');
      return this.edited(text);
    }
    const found = this.find(ref.scenario);
    if (found === null) throw new Error(`no scenario ${ref.scenario} in this page`);
    return found;
  }

  /** The text in a link, be it a scenario or not; null: the link is damaged. */
  async draft(z: string): Promise<string | null> {
    let text: string;
    try {
      text = await inflateText(z);
    } catch {
      return null;
    }
    try {
      return formatScenario(JSON.parse(text));
    } catch {
      return text;
    }
  }

  /** Text from the editor. @throws ScenarioError */
  edited(text: string): Found {
    const scenario = readScenario(text, 'scenario');
    const { image } = scenario;
    const file = `${scenario.name}.json`;
    if (!('file' in image)) return { scenario, text, image: null, file, edited: true };
    const name = this.#imageNamed(image.file);
    if (name === null) {
      const known = Object.keys(this.report.images).join(', ');
      throw new Error(`image.file: this page has no ${image.file}; it has ${known || 'none'}. Or say "mkfs"`);
    }
    return { scenario, text, image: name, file, edited: true };
  }

  /** As a scenario of the report names it, or by its last name. */
  #imageNamed(file: string): string | null {
    for (const { json, image } of this.#known.values())
      if (image !== undefined && (json.image as { file?: string }).file === file) return image;
    const name = file.split('/').at(-1)!;
    return Object.hasOwn(this.report.images, name) ? name : null;
  }

  image({ scenario, image }: Found): Promise<Image> {
    const spec = scenario.image;
    const key = image ?? JSON.stringify(spec);
    let made = this.#images.get(key);
    if (made === undefined) {
      made =
        'mkfs' in spec
          ? Promise.resolve().then(() => makeVolume(spec.mkfs, scenario.file))
          : this.imageBytes(image!).then((bytes) => Image.load(bytes));
      this.#images.set(key, made);
      made.catch(() => this.#images.delete(key));
    }
    return made;
  }

  /** Unpacked bytes of an image of the report. */
  imageBytes(name: string): Promise<Uint8Array> {
    let bytes = this.#bytes.get(name);
    if (bytes === undefined) {
      bytes = unpack(this.report.images[name] ?? '');
      this.#bytes.set(name, bytes);
    }
    return bytes;
  }

  /** Designs that the page can run, those of the report first. */
  get designs(): readonly Design[] {
    const first = this.report.designs.flatMap((id) => designById(id) ?? []);
    return [...first, ...DESIGNS.filter((design) => !first.includes(design))];
  }

  isForeign(design: string): boolean {
    return this.report.foreign.some(({ id }) => id === design);
  }

  #scenario({ json, file }: ReportScenario): Scenario {
    const name = String(json.name);
    let scenario = this.#read.get(name);
    if (scenario === undefined) {
      scenario = readScenario(JSON.stringify(json), file);
      this.#read.set(name, scenario);
    }
    return scenario;
  }
}

export function readReport(): Report {
  return JSON.parse(document.getElementById(REPORT_ID)?.textContent ?? '') as Report;
}

async function unpack(base64: string): Promise<Uint8Array> {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
