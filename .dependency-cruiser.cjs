// Which folder of src may import which, besides itself. Everything not listed is an error.
const mayImport = {
  core: [],
  http: [],
  redis: ['core'],
  lock: ['core', 'redis'],
  register: ['core', 'redis'],
  cache: ['core', 'redis', 'register'],
  'http-cache': ['core', 'http', 'register', 'cache'],
  data: ['core', 'redis', 'register', 'lock', 'cache'],
  routes: ['core'],
  invalidation: ['core', 'http', 'register', 'cache'],
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
