const fs = require('fs');
const parts = ['lib/routes.js', 'server.js'].map(name => fs.readFileSync(name, 'utf8'));
fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/server.js', parts.join('\n'));
fs.writeFileSync('dist/health.js', "process.exit(0)\n", { mode: 0o755 });
fs.symlinkSync('server.js', 'dist/main.js');
