// Damage on the disk costs only what it held.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { withWorld, until, sensorToCloud } from './world.mjs';

test('a corrupt file in the state folder costs only what it held', async () => {
  await withWorld('corrupt', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.deploy({
      routes: { a: sensorToCloud },
      modules: { sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }) },
      twins: { sensor: { SendInterval: 0.05 } },
    });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor');
    await until('messages arrive', () => world.events('sensor').length > 5, 40);
    await world.powerOff();
    const files = fs.readdirSync(path.join(world.root, 'edge'), { recursive: true }).map((name) => path.join(world.root, 'edge', name))
      .filter((file) => fs.statSync(file).isFile() && (file.includes('edgeHub') || file.includes('edgeAgent')) && /\.(db|sqlite|seg|log)$/.test(file));
    assert.ok(files.length >= 2, `found ${files.join(', ')}`);
    for (const file of files) {
      const size = fs.statSync(file).size;
      if (size < 200) continue;
      const handle = fs.openSync(file, 'r+');
      fs.writeSync(handle, crypto.randomBytes(100), 0, 100, Math.floor(size / 3));
      fs.writeSync(handle, crypto.randomBytes(64), 0, 64, 0);
      fs.closeSync(handle);
    }
    const before = world.events('sensor').length;
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor');
    await until('messages arrive again', () => world.events('sensor').length > before + 5, 60);
  });
});
