export function SqlTab() { return <p>SQL</p> }
