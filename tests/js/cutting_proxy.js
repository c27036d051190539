// A TCP proxy that cuts connections in the middle of what the server sends.

import net from "node:net";
import { once } from "node:events";

/**
 * Forward to `target`. Each number in `cuts` is how many more bytes of the server's may pass before the
 * connection that carries them is cut; without cuts left everything passes.
 */
export async function cuttingProxy(target, cuts) {
  const { hostname, port } = new URL(target);
  const left = [...cuts];
  const sockets = new Set();

  const server = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      if (client.destroyed) return;
      if (left.length === 0 || bytes.length < left[0]) {
        if (left.length > 0) left[0] -= bytes.length;
        client.write(bytes);
        return;
      }
      const passing = bytes.subarray(0, left.shift());
      upstream.pause();
      client.write(passing, () => client.destroy());
    });
  });

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** How many connections were cut. */
    get cutCount() {
      return cuts.length - left.length;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
