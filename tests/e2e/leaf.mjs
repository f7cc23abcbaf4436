// A downstream device of the npm SDK behind the gateway. usage: leaf.mjs, with CONNECTION_STRING (GatewayHostName in it),
// NODE_EXTRA_CA_CERTS and LEDGER; CERTIFICATE and KEY (PEM files) for one with x509=true; SEND_EVERY (ms): it sends; TWIN:
// it reads its twin first.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const { CERTIFICATE, KEY, SEND_EVERY, TWIN } = process.env;
const note = (line) => fs.appendFileSync(process.env.LEDGER, `${line}\n`);
// fromConnectionString() forgets GatewayHostName beside x509=true; the transport takes it from the provider all the same.
function clientWithCertificate() {
  const part = (name) => new RegExp(`${name}=([^;]*)`).exec(process.env.CONNECTION_STRING)[1];
  const provider = new device.X509AuthenticationProvider({ host: part('HostName'), deviceId: part('DeviceId'),
    gatewayHostName: part('GatewayHostName'),
    x509: { cert: fs.readFileSync(CERTIFICATE, 'utf8'), key: fs.readFileSync(KEY, 'utf8') } });
  return device.Client.fromAuthenticationProvider(provider, mqtt.Mqtt);
}
const client = CERTIFICATE ? clientWithCertificate()
  : device.Client.fromConnectionString(process.env.CONNECTION_STRING, mqtt.Mqtt);
// Before it connects: what waited comes right behind CONNACK, and the SDK drops what nobody listens to.
client.onDeviceMethod('where', (request, response) => {
  response.send(202, { here: request.payload }, () => {});
});
client.on('message', (message) => {
  note(`message ${JSON.stringify({ id: message.messageId, body: message.getData().toString(),
    colour: message.properties.getValue('colour') })}`);
  client.complete(message, () => {});
});
await client.open();
note('ready');
if (TWIN) {
  const twin = await client.getTwin();
  note(`twin ${JSON.stringify(twin.properties.desired.greeting)}`);
  await new Promise((resolve, reject) => {
    twin.properties.reported.update({ read: true }, (error) => (error ? reject(error) : resolve()));
  });
}

for (let number = 1; SEND_EVERY; ++number) {
  const message = new device.Message(`message ${number}`);
  message.messageId = `${process.pid}-${number}`;
  try {
    await client.sendEvent(message);
    note(`sent ${message.messageId}`);
  } catch (error) {
    note(`failed ${error.name}`);
  }
  await new Promise((resolve) => setTimeout(resolve, Number(SEND_EVERY)));
}
