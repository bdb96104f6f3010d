// The program of the image "node": a small web server which says who it is and
// who asked. It behaves as the server people first meet in container courses.
// The image maker (build, beside this file) copies it; nothing else lives here.
const { createServer } = require('http');
const { hostname } = require('os');
const port = 8080;

console.log('Kubia server starting...');
console.log(`Local hostname is ${hostname()}`);
console.log(`Listening on port ${port}`);

createServer((request, response) => {
  const client = request.socket.remoteAddress;
  console.log(`Received request for ${request.url} from ${client}`);
  response.end(`Hey there, this is ${hostname()}. Your IP is ${client}. \n`);
}).listen(port);
