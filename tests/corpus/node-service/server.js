require('http').createServer((q, s) => s.end(routes[q.url] || '')).listen(process.env.PORT);
