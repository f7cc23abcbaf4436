// A device of the npm SDK that sends without pause, many messages at a time, while its token is renewed every other second.
// usage: renewing.mjs, with CONNECTION_STRING (GatewayHostName in it), NODE_EXTRA_CA_CERTS and LEDGER. SIGTERM: what is
// on its way is waited for, then it ends.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const { Client, Message, SharedAccessKeyAuthenticationProvider } = device;
const inFlight = 20;
const note = (line) => fs.appendFileSync(process.env.LEDGER, `${line}\n`);

const tokens = SharedAccessKeyAuthenticationProvider.fromConnectionString(process.env.CONNECTION_STRING, 6, 4);
tokens.on('newTokenAvailable', () => note(`renewed ${Date.now()}`));
const client = Client.fromAuthenticationProvider(tokens, mqtt.Mqtt);
await client.open();
note('ready');

let stopping = false;
process.on('SIGTERM', () => { stopping = true; });
let next = 0;
async function sendOnAndOn() {
  while (!stopping) {
    const message = new Message(JSON.stringify({ n: next }));
    message.messageId = `${next++}`;
    await client.sendEvent(message);
    note(`sent ${message.messageId}`);
  }
}
await Promise.all(Array.from({ length: inFlight }, sendOnAndOn));
await client.close();
note(`ended ${next}`);
