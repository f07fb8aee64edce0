/**
 * The page, served on localhost: the bundled scenarios with their recorded verdicts, an editor, and the explorer in the
 * browser. Nothing is computed here.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DESIGNS } from '../../designs/index.ts';
import { defineCommand } from '../command.ts';
import { EXIT, UsageError } from '../errors.ts';
import { makeReport, reportPage } from '../report.ts';
import { loadScenarios } from '../scenarioFiles.ts';

const HOST = '127.0.0.1';

/** With these two a worker may share memory with the page: a search can be stopped and tell what it has. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

export default defineCommand({
  about:
    'Serves the page on this machine alone and prints its address: edit a scenario, choose designs, explore it in a ' +
    'worker of the browser. Scenarios named here are the rows; without any all bundled ones are. ^C ends it.',
  operands: ['[SCENARIO…]'],
  options: {
    port: { type: 'integer', value: 'N', min: 0, max: 65535, default: 8004, summary: 'the port; 0: any' },
  },
  examples: ['playground', 'playground my-scenario.json --port 0'],
  async run(ctx) {
    const scenarios = loadScenarios(ctx.operands);
    const report = makeReport({
      command: 'playground',
      scenarios,
      designs: DESIGNS,
      cells: null,
      reach: [],
      lockdep: [],
    });
    const html = await reportPage(report);
    const server = createServer((request, response) => {
      const isPage = new URL(request.url ?? '/', 'http://localhost').pathname === '/';
      if (!isPage) response.writeHead(404, { 'content-type': 'text/plain' }).end('not here\n');
      else if (request.method !== 'GET' && request.method !== 'HEAD')
        response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('GET only\n');
      else response.writeHead(200, HEADERS).end(request.method === 'HEAD' ? undefined : html);
    });
    await listening(server, ctx.options.port);
    const { port } = server.address() as AddressInfo;
    ctx.out(`http://localhost:${port}/`);
    ctx.say('^C ends it');
    await new Promise<void>((resolve) => {
      if (ctx.signal.aborted) resolve();
      else ctx.signal.addEventListener('abort', () => resolve());
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return EXIT.ok;
  },
});

/** @throws UsageError when somebody else has the port */
function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? 'is taken'
          : error.code === 'EACCES'
            ? 'may not be used'
            : error.message;
      reject(new UsageError(`port ${port} ${reason}`, '--port 0 takes any that is free'));
    });
    server.listen(port, HOST, resolve);
  });
}
