// Which folder of src may import which, besides itself. Everything not listed is an error.
const mayImport = {
  core: [],
  http: [],
  redis: ['core'],
  lock: ['core', 'redis'],
  register: ['core', 'redis'],
  cache: ['core', 'redis', 'register'],
  'http-cache': ['core', 'http', 'register', 'cache'],
  codec: ['core'],
  writing: ['core', 'redis', 'register', 'cache', 'codec'],
  data: ['core', 'redis', 'register', 'cache', 'codec', 'writing'],
  queries: ['core', 'data'],
  invalidation: ['core', 'http', 'redis', 'register', 'lock', 'cache'],
  warm: ['core', 'http', 'redis', 'register', 'lock', 'cache', 'data'],
  cli: ['core', 'warm'],
  routes: ['core'],
  session: ['core', 'http', 'redis', 'register'],
  'rate-limit': ['core', 'redis'],
};

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(mayImport).map(([folder, below]) => ({
      name: `${folder}-imports`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: [folder, ...below].map((name) => `^src/${name}/`) },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
