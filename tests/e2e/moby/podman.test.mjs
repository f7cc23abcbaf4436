// The same check of the engine as engine.test.mjs, on Podman's compatible service.
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { checkEngine } from './check.mjs';
import { Podman } from './podman.mjs';

const missing = (() => {
  try {
    execFileSync('podman', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'podman is not installed';
  }
})();

test('the engine of containers keeps the promises of engine.hpp on Podman', { skip: missing }, () => checkEngine(new Podman()));
