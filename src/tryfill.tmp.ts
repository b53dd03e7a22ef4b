import { connect } from './places/server/client.ts';
import { z } from 'zod';
import { mapConcurrent } from './util/map-concurrent.ts';
const opt = (env={}) => ({ side:'to' as const, findings:{loss:console.log,failure:console.log}, signal:new AbortController().signal, concurrency:8, environment:env, tempDir:'/tmp' });
const c = await connect({kind:'server',url:new URL(process.argv[2]!),workspace:undefined}, opt());
const any = z.any();
const { experiment_id } = await c.call({method:'POST',path:'/api/2.0/mlflow/experiments/create',body:{name:'bench'+Date.now()},schema:any});
const t=Date.now();
await mapConcurrent(Array.from({length:200},(_,i)=>i), 4, async (i) => {
  const { run } = await c.call({method:'POST',path:'/api/2.0/mlflow/runs/create',body:{experiment_id,start_time:1700000000000+i,run_name:'r'+i},schema:any});
  const run_id = run.info.run_id;
  const metrics:any[]=[];
  for (let k=0;k<20;k++) for (let s=0;s<100;s++) metrics.push({key:'metric_'+k,value:Math.random(),timestamp:1700000000000+s*1000,step:s});
  await c.call({method:'POST',path:'/api/2.0/mlflow/runs/log-batch',body:{run_id,params:Array.from({length:20},(_,j)=>({key:'p'+j,value:'v'+j})),tags:Array.from({length:10},(_,j)=>({key:'t'+j,value:'v'+j})),metrics:metrics.slice(0,880)},schema:any});
  await c.call({method:'POST',path:'/api/2.0/mlflow/runs/log-batch',body:{run_id,metrics:metrics.slice(880,1880)},schema:any});
  await c.call({method:'POST',path:'/api/2.0/mlflow/runs/log-batch',body:{run_id,metrics:metrics.slice(1880)},schema:any});
});
console.log('filled', experiment_id, Date.now()-t, c.requests());
await c.close();
