const routes = { '/': 'hello\n', '/health': 'ok\n' };
