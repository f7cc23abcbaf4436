// Devices of the unmodified npm SDK behind the gateway that prove with a certificate who they are.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { Certificates, key, text, thumbprint } from './certificates.mjs';
import { withWorld, until, cloudAddress, hubAddress } from './world.mjs';

// The CONNACK code for a CONNECT as SDKs send it with a certificate, without a password.
function connack(host, authority, id, certificate) {
  const field = (value) => Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
  const body = Buffer.concat([field('MQTT'), Buffer.from([4, 0x82, 0, 60]), field(id),
    field(`${cloudAddress}/${id}/?api-version=2021-04-12&DeviceClientType=test`)]);
  const packet = Buffer.concat([Buffer.from([0x10, body.length]), body]);
  assert.ok(body.length < 128);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: 8883, ca: fs.readFileSync(authority), timeout: 20000,
      ...(certificate ? { cert: text(certificate), key: key(certificate) } : {}) }, () => socket.write(packet));
    socket.on('timeout', () => socket.destroy(new Error('no CONNACK')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without a CONNACK')));
    socket.on('data', (bytes) => {
      socket.destroy();
      resolve(bytes[3]);
    });
  });
}

test('devices with certificates send as themselves through the gateway, and nobody else does', async () => {
  await withWorld('x509', async (world) => {
    const make = new Certificates(path.join(world.root, 'certificates'));
    const authority = make.make('Devices of the site', { authority: true });
    const stranger = make.make('Devices of the site', { authority: true });
    const shown = { thumb: make.make('any name'), signed: make.make('signed', { issuer: authority }),
      late: make.make('late') };
    const byThumbprint = (certificate, digest) =>
      ['--auth-method', 'x509_thumbprint', '--primary-thumbprint', thumbprint(certificate, digest)];
    const expired = make.make('expired', { days: -1 });

    await world.startCloud(['--device-ca', authority.cert]);
    world.createDevice(text(authority));
    world.createLeaf('thumb', ...byThumbprint(shown.thumb, 'fingerprint256'));
    world.createLeaf('signed', '--auth-method', 'x509_ca');
    world.createLeaf('expired', ...byThumbprint(expired, 'fingerprint'));
    world.createLeaf('keys');
    world.deploy({ routes: { all: 'FROM /messages/* INTO $upstream' } });
    await world.startDaemon();
    await world.untilHubListens();

    const start = (name) => world.startLeaf(name,
      { env: { CERTIFICATE: shown[name].cert, KEY: shown[name].key, SEND_EVERY: '200' } });
    const events = (name) => world.events().filter((event) => event.deviceId === name);
    const at = (id, certificate) => connack(hubAddress, world.edgeAuthority, id, certificate);
    const hubLog = () => world.moduleLog('edgeHub');
    const ended = (name) => hubLog().split(`Device connection of ${name} has ended`).length - 1;

    // The right ones.
    start('thumb');
    start('signed');
    for (const name of ['thumb', 'signed'])
      await until(`messages of ${name} in the cloud`, () => events(name).length >= 3, 40);

    // The wrong ones: 5, not authorized.
    for (const [what, id, certificate] of [
      ['another certificate', 'thumb', make.make('any name')],
      ['none', 'thumb', undefined],
      ['an expired one', 'expired', expired],
      ['another name', 'signed', make.make('Signed', { issuer: authority })],
      ['an unknown authority', 'signed', make.make('signed', { issuer: stranger })],
      ['an authority of its own', 'signed', make.make('signed')],
      ['an expired one of the right authority', 'signed', make.make('signed', { issuer: authority, days: -1 })],
      ['a device with keys', 'keys', make.make('keys', { issuer: authority })],
      ['a stranger', 'nobody', make.make('nobody', { issuer: authority })],
    ]) assert.equal(await at(id, certificate), 5, what);
    assert.equal(ended('thumb') + ended('signed'), 0, 'nobody was disturbed');

    // Straight to the cloud.
    world.cloudCli('device', 'create', 'direct', ...byThumbprint(shown.thumb, 'fingerprint'));
    world.cloudCli('device', 'create', 'issued', '--auth-method', 'x509_ca');
    const atCloud = (id, certificate) => connack(cloudAddress, world.info().caCertificate, id, certificate);
    assert.equal(await atCloud('direct', shown.thumb), 0);
    assert.equal(await atCloud('issued', make.make('issued', { issuer: authority })), 0);
    assert.equal(await atCloud('issued', make.make('issued', { issuer: stranger })), 5);
    assert.equal(await atCloud('direct', shown.signed), 5);

    // One that was added after the hub had started is asked about, and known from then on, cloud or no cloud.
    world.createLeaf('late', ...byThumbprint(shown.late, 'fingerprint'));
    const late = start('late');
    await until('messages of the late one in the cloud', () => events('late').length >= 1, 40);
    late.kill('SIGKILL');
    await until('the hub has noticed', () => ended('late') >= 1);
    await world.stopCloud();
    assert.equal(await at('late', shown.late), 0);
    process.kill(world.pid('hub'), 'SIGKILL');
    await until('the hub is back', () => at('signed', shown.signed).then((code) => code === 0, () => false), 40);
    assert.equal(await at('late', shown.late), 0);
    assert.equal(await at('nobody', make.make('nobody', { issuer: authority })), 5);

    // Disabled or deleted in the cloud: it loses its connection.
    await world.startCloud(['--device-ca', authority.cert]);
    const lines = (name) => world.lines(name, 'sent').length;
    start('late');
    for (const name of ['thumb', 'late']) {
      const before = { acknowledged: lines(name), stored: events(name).length };
      await until(`${name} sends again`, () => lines(name) > before.acknowledged, 60);
      await until(`${name} is heard in the cloud`, () => events(name).length > before.stored, 60);
    }
    const already = { thumb: ended('thumb'), late: ended('late') };
    world.cloudCli('device', 'update', 'thumb', '--status', 'disabled');
    await until('the disabled one is dropped', () => ended('thumb') > already.thumb, 30);
    assert.equal(await at('thumb', shown.thumb), 5);
    world.cloudCli('device', 'delete', 'late');
    await until('the deleted one is dropped', () => ended('late') > already.late, 30);
    assert.equal(await at('late', shown.late), 5);
  });
});
