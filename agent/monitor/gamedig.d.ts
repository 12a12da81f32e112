/** gamedig comes without types: what ReconSync uses of it, after its README and lib/ (5.3.3). */
declare module "gamedig" {
  export interface QueryOptions {
    type: string;
    host: string;
    /** An IP address; with it the host name is not resolved. */
    address?: string;
    port?: number;
    /** Ask this port and no other. */
    givenPortOnly?: boolean;
    maxRetries?: number;
    socketTimeout?: number;
    attemptTimeout?: number;
    portCache?: boolean;
    password?: string;
  }

  export interface QueryResult {
    name: string;
    map: string;
    maxplayers: number;
    numplayers: number;
    players: { name: string }[];
    bots: { name: string }[];
    /** Milliseconds. */
    ping: number;
  }

  export const GameDig: { query(options: QueryOptions): Promise<QueryResult> };

  export const games: Record<
    string,
    { name: string; options: { protocol: string; port?: number; port_query?: number; port_query_offset?: number } }
  >;
  export const protocols: Record<string, unknown>;
}
