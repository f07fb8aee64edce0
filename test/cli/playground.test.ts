/** `playground` says which port it cannot have. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { ext4lab } from '../support/command.ts';

it('a port that is taken is an error by its number', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { code, out, err } = await ext4lab('playground', 'two-appends', '--port', `${port}`);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(`port ${port} is taken`);
  await new Promise((resolve) => server.close(resolve));
});

it('a scenario that is wrong is an error before anything is served', async () => {
  const { code, err } = await ext4lab('playground', 'no-such-scenario');
  expect(code).toBe(2);
  expect(err).toContain('no bundled scenario "no-such-scenario"');
});
