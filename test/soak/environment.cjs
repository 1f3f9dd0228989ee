// Tells the specs that `npm run soak` is what runs them: they then try the largest networks too.
process.env.SOAK = '1';
